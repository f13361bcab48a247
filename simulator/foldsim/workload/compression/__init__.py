"""Weight compression: records, compact text, stored bytes and changes of ops."""
