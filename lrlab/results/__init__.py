"""What users get back: results that compute from records alone."""
