//! The endpoints that are used, with what a repetition of each would mean.

use reqwest::Method;

use super::id::{ObjectId, PropertyId};

/// A call by what it does. Paths are made from checked ids only.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint<'a> {
    Me,
    Users,
    Children(&'a ObjectId),
    CreateDatabase,
    Database(&'a ObjectId),
    DataSource(&'a ObjectId),
    UpdateDataSource(&'a ObjectId),
    Query(&'a ObjectId),
    CreatePage,
    Page(&'a ObjectId),
    UpdatePage(&'a ObjectId),
    PropertyItem(&'a ObjectId, &'a PropertyId),
    Body(&'a ObjectId),
    EditBody(&'a ObjectId),
    Comments,
    CreateComment,
    DeleteComment(&'a ObjectId),
}

/// Whether sending again can do harm (rule 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Changes nothing, may be repeated.
    Read,
    /// May have taken effect whenever its answer is not clear.
    Write,
}

impl Endpoint<'_> {
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Me
            | Self::Users
            | Self::Children(_)
            | Self::Database(_)
            | Self::DataSource(_)
            | Self::Page(_)
            | Self::PropertyItem(..)
            | Self::Body(_)
            | Self::Comments => Method::GET,
            Self::CreateDatabase | Self::Query(_) | Self::CreatePage | Self::CreateComment => {
                Method::POST
            }
            Self::DeleteComment(_) => Method::DELETE,
            Self::UpdateDataSource(_) | Self::UpdatePage(_) | Self::EditBody(_) => Method::PATCH,
        }
    }

    /// A query is a POST and still a read.
    pub(super) fn meaning(&self) -> Meaning {
        if self.method() == Method::GET || matches!(self, Self::Query(_)) {
            Meaning::Read
        } else {
            Meaning::Write
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Me => "/v1/users/me".to_owned(),
            Self::Users => "/v1/users".to_owned(),
            Self::Children(id) => format!("/v1/blocks/{id}/children"),
            Self::CreateDatabase => "/v1/databases".to_owned(),
            Self::Database(id) => format!("/v1/databases/{id}"),
            Self::DataSource(id) | Self::UpdateDataSource(id) => format!("/v1/data_sources/{id}"),
            Self::Query(id) => format!("/v1/data_sources/{id}/query"),
            Self::CreatePage => "/v1/pages".to_owned(),
            Self::Page(id) | Self::UpdatePage(id) => format!("/v1/pages/{id}"),
            Self::PropertyItem(id, property) => format!("/v1/pages/{id}/properties/{property}"),
            Self::Body(id) | Self::EditBody(id) => format!("/v1/pages/{id}/markdown"),
            Self::Comments | Self::CreateComment => "/v1/comments".to_owned(),
            Self::DeleteComment(id) => format!("/v1/comments/{id}"),
        }
    }

    /// Method and path with placeholders: the key of the request counts, and what messages name.
    pub(super) fn pattern(&self) -> &'static str {
        match self {
            Self::Me => "GET /v1/users/me",
            Self::Users => "GET /v1/users",
            Self::Children(_) => "GET /v1/blocks/{id}/children",
            Self::CreateDatabase => "POST /v1/databases",
            Self::Database(_) => "GET /v1/databases/{id}",
            Self::DataSource(_) => "GET /v1/data_sources/{id}",
            Self::UpdateDataSource(_) => "PATCH /v1/data_sources/{id}",
            Self::Query(_) => "POST /v1/data_sources/{id}/query",
            Self::CreatePage => "POST /v1/pages",
            Self::Page(_) => "GET /v1/pages/{id}",
            Self::UpdatePage(_) => "PATCH /v1/pages/{id}",
            Self::PropertyItem(..) => "GET /v1/pages/{id}/properties/{id}",
            Self::Body(_) => "GET /v1/pages/{id}/markdown",
            Self::EditBody(_) => "PATCH /v1/pages/{id}/markdown",
            Self::Comments => "GET /v1/comments",
            Self::CreateComment => "POST /v1/comments",
            Self::DeleteComment(_) => "DELETE /v1/comments/{id}",
        }
    }

    /// The object that the call is about, for messages.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Me => "the connection".to_owned(),
            Self::Users => "the users".to_owned(),
            Self::Children(id) => format!("page {id}"),
            Self::CreateDatabase => "the parent page".to_owned(),
            Self::Database(id) => format!("database {id}"),
            Self::DataSource(id) | Self::UpdateDataSource(id) | Self::Query(id) => {
                format!("data source {id}")
            }
            Self::CreatePage => "the data source or a related page".to_owned(),
            Self::Page(id)
            | Self::UpdatePage(id)
            | Self::PropertyItem(id, _)
            | Self::Body(id)
            | Self::EditBody(id) => format!("page {id}"),
            Self::Comments | Self::CreateComment => "the comments of a page".to_owned(),
            Self::DeleteComment(id) => format!("comment {id}"),
        }
    }

    /// The capability that the connection needs for it, as its settings call it.
    pub(super) fn capability(&self) -> &'static str {
        match self {
            Self::CreateDatabase | Self::CreatePage => "Insert content",
            Self::UpdateDataSource(_) | Self::UpdatePage(_) | Self::EditBody(_) => "Update content",
            Self::Comments => "Read comments",
            Self::CreateComment | Self::DeleteComment(_) => "Insert comments",
            Self::Users => "Read user information including email addresses",
            _ => "Read content",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_13_only_reads_may_be_repeated() {
        let id = ObjectId::parse(&"0".repeat(32)).unwrap();
        let property = PropertyId::parse("title").unwrap();
        let reads = [
            Endpoint::Me,
            Endpoint::Users,
            Endpoint::Children(&id),
            Endpoint::Database(&id),
            Endpoint::DataSource(&id),
            Endpoint::Query(&id),
            Endpoint::Page(&id),
            Endpoint::PropertyItem(&id, &property),
            Endpoint::Body(&id),
            Endpoint::Comments,
        ];
        let writes = [
            Endpoint::CreateDatabase,
            Endpoint::UpdateDataSource(&id),
            Endpoint::CreatePage,
            Endpoint::UpdatePage(&id),
            Endpoint::EditBody(&id),
            Endpoint::CreateComment,
            Endpoint::DeleteComment(&id),
        ];
        assert!(reads.iter().all(|e| e.meaning() == Meaning::Read));
        assert!(writes.iter().all(|e| e.meaning() == Meaning::Write));
        for endpoint in reads.iter().chain(&writes) {
            let path = endpoint.path().replace(id.as_str(), "{id}").replace("/title", "/{id}");
            assert_eq!(endpoint.pattern(), format!("{} {path}", endpoint.method()));
        }
    }
}
