//! A change of one block changes nothing else.

use super::*;
