"""Configuration, tokenizer, encoder and the bundled student."""
