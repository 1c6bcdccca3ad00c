"""One description of the processes and of the topics between them."""
