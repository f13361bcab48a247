"""One design: its record, the axes that describe it, and changes of its inputs."""
