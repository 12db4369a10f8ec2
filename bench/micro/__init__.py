"""Times single parts, each beside what it is compared with; may import every package."""
