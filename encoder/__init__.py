"""What it means: texts become unit vectors."""
