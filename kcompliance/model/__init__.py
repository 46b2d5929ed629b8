"""What the world looks like to a control: frozen types and pure rules."""
