"""What a user calls: design, predict, compose, optimise."""
