"""Tables and sparklines for a terminal."""
