"""What everything else stands on: errors, files, paths, words; knows nothing of learning rates."""
