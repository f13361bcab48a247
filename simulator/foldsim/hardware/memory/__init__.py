"""Memory types: their records, and the memory levels of a profile that are filled in from them."""
