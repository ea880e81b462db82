//! A tiny HTTP client that shows what really came over the wire.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use notion_sim::{Options, Server};
use serde_json::{Value, json};

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Status and error code.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// A server with the client's headers.
pub(crate) struct Sim {
    pub(crate) server: Server,
    pub(crate) headers: Vec<(String, String)>,
}

pub(crate) fn start(options: Options) -> Sim {
    let headers = vec![
        ("authorization".to_owned(), format!("Bearer {}", options.token)),
        ("notion-version".to_owned(), "2026-03-11".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    Sim { server: Server::start(options).unwrap(), headers }
}

impl Sim {
    /// Sends a request; an error if the answer is missing or cut.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> io::Result<Answer> {
        self.try_send_raw(method, path, &body.map(Value::to_string).unwrap_or_default())
    }

    fn try_send_raw(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let address = self.server.url().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address)?;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(request.as_bytes())?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw)?;
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let answer = Answer {
            status,
            headers,
            body: serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())),
        };
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        if body.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.try_send(method, path, Some(body).filter(|body| !body.is_null())).unwrap()
    }

    /// Sends a body that is not JSON.
    pub(crate) fn send_raw(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_send_raw(method, path, body).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_send("GET", path, None).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, body)
    }

    /// Makes a database of this schema and gives the ids of it and of its data source.
    pub(crate) fn database(&self, title: &str, properties: &Value) -> (String, String) {
        let answer = self.post(
            "/v1/databases",
            &json!({
                "parent": {"type": "page_id", "page_id": self.server.parent_page()},
                "title": [{"text": {"content": title}}],
                "initial_data_source": {"properties": properties},
            }),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        (text(&answer.body["id"]), text(&answer.body["data_sources"][0]["id"]))
    }

    /// Makes a page in a data source and gives the answer.
    pub(crate) fn create(&self, source: &str, properties: &Value, markdown: &str) -> Answer {
        self.post(
            "/v1/pages",
            &json!({
                "parent": {"type": "data_source_id", "data_source_id": source},
                "properties": properties,
                "markdown": markdown,
            }),
        )
    }

    /// Makes a page with this title and gives its id.
    pub(crate) fn page(&self, source: &str, title: &str, markdown: &str) -> String {
        let answer = self.create(source, &named(title), markdown);
        assert_eq!(answer.status, 200, "{}", answer.body);
        text(&answer.body["id"])
    }
}

/// Properties with this title only.
pub(crate) fn named(title: &str) -> Value {
    json!({"Name": {"title": [{"text": {"content": title}}]}})
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A schema with one property of most types.
pub(crate) fn schema() -> Value {
    json!({
        "Name": {"title": {}},
        "ID": {"rich_text": {}},
        "Status": {"select": {"options": [{"name": "TO_DO"}, {"name": "DONE"}]}},
        "Stage": {"status": {}},
        "Points": {"number": {}},
        "Tags": {"multi_select": {}},
        "Due": {"date": {}},
        "Done": {"checkbox": {}},
        "Link": {"url": {}},
        "Key": {"unique_id": {"prefix": "TASK"}},
        "Made": {"created_time": {}},
    })
}
