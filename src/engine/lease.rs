//! The lease (rule 11).
