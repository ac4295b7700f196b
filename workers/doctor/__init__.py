"""`headrace doctor`: looks at the machine, the broker and the model, and says what to do about what it finds."""
