"""Training: the teacher, its one-step students, and the toy world on which both are checked."""
