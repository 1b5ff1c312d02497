"""From words to conditions."""
