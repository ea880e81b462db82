# The image of the action: one static binary and nothing else. tests/image.rs builds the last stage alone and runs it.

# The digest is that of the multi-architecture index; Dependabot moves tag and digest together.
FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
WORKDIR /source
COPY . .
# With what is in the image: a toolchain file would make rustup load another one.
ENV RUSTUP_TOOLCHAIN=1.95
RUN set -eu; binary="$(.ci/static)"; install -D -m 0755 "$binary" /out/agent-sync

# No shell, no system, and no USER: the runner demands root for the workspace that it mounts. What the program makes
# there is given to the workspace's owner.
FROM scratch
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG SOURCE=https://github.com/org/agent-sync
LABEL org.opencontainers.image.title="agent-sync" \
      org.opencontainers.image.description="Keeps Markdown documents in Git and in Notion equal, in both directions, from CI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}#readme" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/agent-sync /agent-sync
# No CMD: without arguments the program takes the command from INPUT_COMMAND, or `auto`.
ENTRYPOINT ["/agent-sync"]
