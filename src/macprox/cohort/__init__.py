"""Between patients, the unit is the patient."""
