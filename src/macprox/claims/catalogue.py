"""Every claim, in the order of the report."""

from macprox.claims import burden, lesion_size, lineage, marker, nearby, periphery, regulatory

CLAIMS = (
    nearby.CLAIM,
    periphery.CLAIM,
    lineage.CLAIM,
    regulatory.CLAIM,
    marker.CLAIM,
    burden.CLAIM,
    lesion_size.CLAIM,
)
