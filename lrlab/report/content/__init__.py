"""A run as content for any medium: read from its folder, summed up, selected."""
