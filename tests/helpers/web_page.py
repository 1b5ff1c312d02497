"""A page as a browser would take it apart."""

from html.parser import HTMLParser

VOID = {"meta", "input", "br", "img"}


class Page(HTMLParser):
    """Elements with attributes and own text; complains about tags that do not close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.source = [], [], text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, **dict(attrs), "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, **dict(attrs), "text": ""})

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attributes):
        found = [e for e in self.elements if e["tag"] == tag]
        return [e for e in found if all(e.get(k.rstrip("_")) == v for k, v in attributes.items())]

    def one(self, tag, **attributes):
        (element,) = self.all(tag, **attributes)
        return element

    def text(self, tag, **attributes):
        return self.one(tag, **attributes)["text"]
