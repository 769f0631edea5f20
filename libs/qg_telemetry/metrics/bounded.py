"""Labels of metrics, of which there may only be so many: each value is a time series for ever."""

OTHER = "other"
LABEL_LENGTH_MAX = 200


class BoundedLabels:
    """Lets the first `labels_max` different texts through; further ones are `other`."""

    def __init__(self, labels_max: int) -> None:
        self._labels_max = labels_max
        self._known: set[str] = set()

    def label(self, text: str) -> str:
        """`text` when it is known or there is room for it, else `other`."""
        if text in self._known:
            return text
        if len(self._known) >= self._labels_max or len(text) > LABEL_LENGTH_MAX:
            return OTHER
        self._known.add(text)
        return text
