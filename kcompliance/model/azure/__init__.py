"""What Azure's own answers say, as ARM and as `az -o json` write them: pure, no network."""
