"""The question of the study, answered from the cells as they are called now, and in words."""
