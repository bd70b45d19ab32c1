"""XML out of image files, which anybody may have written."""

from __future__ import annotations

from xml.etree import ElementTree

from macprox.errors import SlideError, reason_of


def parse(text: str, file_name: str, kind: str) -> ElementTree.Element:
    """The root element, or `SlideError` where the text is damaged or could be a bomb.

    Parameters
    ----------
    text : str
        Already decoded; an encoding named in its declaration is ignored.
    file_name, kind : str
        For the message: ``"a.ome.tif"``, ``"OME-XML"``.
    """
    refuse_declarations(text, file_name, kind)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise SlideError(
            f"{file_name!r}: its {kind} is damaged ({reason_of(error)}), so channel names and "
            f"pixel size cannot be trusted. Export the image again."
        ) from error


def refuse_declarations(text: str, file_name: str, kind: str) -> None:
    """Refuse document type declarations outright.

    No microscope writes one, and entities declared there expand to gigabytes. Of a TIFF's first
    page to be asked before anything else: looking for series, tifffile parses the description as
    OME, Leica SCN, Philips or other XML, whatever dialect the file turns out to be.

    Raises
    ------
    SlideError
    """
    upper = text.upper()
    if "<!DOCTYPE" in upper or "<!ENTITY" in upper:
        raise SlideError(
            f"{file_name!r}: its {kind} declares a document type or entities, which image files "
            f"do not need; refused as unsafe. Export the image again."
        )


def local_name(element: ElementTree.Element) -> str:
    """The tag without its namespace: versions of a schema differ in nothing else that we read."""
    return element.tag.rpartition("}")[2]
