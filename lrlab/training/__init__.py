"""From a checked experiment to a trained record: groups, sessions, recording, continuation."""
