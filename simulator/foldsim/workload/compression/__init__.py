"""Weight compression: rules, their compact text, checks, bytes and the ops that they change."""
