//! Names of programming languages: those that Notion accepts, and the aliases that it replaces by them.

/// The closed list of Notion's code languages (notion-api.md §3).
const ACCEPTED: &[&str] = &[
    "abc",
    "abap",
    "agda",
    "arduino",
    "ascii art",
    "assembly",
    "bash",
    "basic",
    "bnf",
    "c",
    "c#",
    "c++",
    "clojure",
    "coffeescript",
    "coq",
    "css",
    "dart",
    "dhall",
    "diff",
    "docker",
    "ebnf",
    "elixir",
    "elm",
    "erlang",
    "f#",
    "flow",
    "fortran",
    "gherkin",
    "glsl",
    "go",
    "graphql",
    "groovy",
    "haskell",
    "hcl",
    "html",
    "idris",
    "java",
    "javascript",
    "json",
    "julia",
    "kotlin",
    "latex",
    "less",
    "lisp",
    "livescript",
    "llvm ir",
    "lua",
    "makefile",
    "markdown",
    "markup",
    "matlab",
    "mathematica",
    "mermaid",
    "nix",
    "notion formula",
    "objective-c",
    "ocaml",
    "pascal",
    "perl",
    "php",
    "plain text",
    "powershell",
    "prolog",
    "protobuf",
    "purescript",
    "python",
    "r",
    "racket",
    "reason",
    "ruby",
    "rust",
    "sass",
    "scala",
    "scheme",
    "scss",
    "shell",
    "smalltalk",
    "solidity",
    "sql",
    "swift",
    "toml",
    "typescript",
    "vb.net",
    "verilog",
    "vhdl",
    "visual basic",
    "webassembly",
    "xml",
    "yaml",
    "java/c/c++/c#",
];

/// Usual words of fences and the name that Notion has for the same language.
const ALIASES: &[(&str, &str)] = &[
    ("js", "javascript"),
    ("jsx", "javascript"),
    ("mjs", "javascript"),
    ("node", "javascript"),
    ("ts", "typescript"),
    ("tsx", "typescript"),
    ("py", "python"),
    ("python3", "python"),
    ("rs", "rust"),
    ("rb", "ruby"),
    ("sh", "shell"),
    ("console", "shell"),
    ("shell-session", "shell"),
    ("zsh", "shell"),
    ("fish", "shell"),
    ("yml", "yaml"),
    ("md", "markdown"),
    ("dockerfile", "docker"),
    ("make", "makefile"),
    ("cpp", "c++"),
    ("cxx", "c++"),
    ("cc", "c++"),
    ("h", "c"),
    ("hpp", "c++"),
    ("cs", "c#"),
    ("csharp", "c#"),
    ("fs", "f#"),
    ("fsharp", "f#"),
    ("golang", "go"),
    ("kt", "kotlin"),
    ("hs", "haskell"),
    ("ex", "elixir"),
    ("erl", "erlang"),
    ("clj", "clojure"),
    ("coffee", "coffeescript"),
    ("objc", "objective-c"),
    ("objectivec", "objective-c"),
    ("pl", "perl"),
    ("ps1", "powershell"),
    ("pwsh", "powershell"),
    ("proto", "protobuf"),
    ("tex", "latex"),
    ("tf", "hcl"),
    ("terraform", "hcl"),
    ("htm", "html"),
    ("svg", "xml"),
    ("jsonc", "json"),
    ("json5", "json"),
    ("patch", "diff"),
    ("wasm", "webassembly"),
    ("asm", "assembly"),
    ("vb", "visual basic"),
    ("text", "plain text"),
    ("txt", "plain text"),
    ("plain", "plain text"),
    ("plaintext", "plain text"),
    ("", "plain text"),
    // Names with a space, as a fence's first word.
    ("ascii-art", "ascii art"),
    ("llvm-ir", "llvm ir"),
    ("notion-formula", "notion formula"),
    ("visual-basic", "visual basic"),
];

/// What stands for no language, and for one that Notion does not know.
pub(super) const PLAIN: &str = "plain text";

/// The name that Notion has for the language of a fence's info string.
pub(super) fn canonical(info: &str) -> &'static str {
    let whole = info.trim().to_lowercase();
    let find = |word: &str| {
        ACCEPTED
            .iter()
            .find(|name| **name == word)
            .or_else(|| ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, name)| name))
            .copied()
    };
    // GitHub and others let attributes follow the word: `rust,ignore`, `js {1,3}`.
    let word = whole.split([' ', '\t', ',', '{', ':']).next().unwrap_or_default();
    find(&whole).or_else(|| find(word)).unwrap_or(PLAIN)
}

/// The word of a fence in a file for a name of Notion's.
pub(super) fn fence_word(name: &str) -> String {
    match name {
        PLAIN => String::new(),
        other => other.replace(' ', "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_unknown_words_have_a_name_that_notion_accepts() {
        assert_eq!(canonical("js"), "javascript");
        assert_eq!(canonical("JavaScript"), "javascript");
        assert_eq!(canonical("rust,ignore"), "rust");
        assert_eq!(canonical(""), PLAIN);
        assert_eq!(canonical("befunge"), PLAIN);
        assert!(ALIASES.iter().all(|(_, name)| ACCEPTED.contains(name)));
    }

    #[test]
    fn every_fence_word_leads_back_to_its_name() {
        for name in ACCEPTED {
            assert_eq!(canonical(&fence_word(name)), *name);
        }
    }
}
