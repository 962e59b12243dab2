"""What users ask for, one module each: an experiment in, a result and its JSON object out."""
