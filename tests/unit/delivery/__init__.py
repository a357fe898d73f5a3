"""What is delivered: definitions, manifests and charts, as far as they can be judged unseen."""
