from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.contentviews.body import Body
from flowdump.contentviews.markup import is_html, lines, tokens


def html(text: str) -> list[str]:
    return list(lines(Body(text.encode(), "text/html; charset=utf-8")))


def xml(text: str) -> list[str]:
    return list(lines(Body(text.encode(), "application/xml")))


def test_html_page() -> None:
    page = (
        "<!DOCTYPE html><html><head><title>Hi &amp; bye</title><meta charset=utf-8>"
        '<link rel="x"\n   href="a>b"></head><body class=c><div><p>Some <b>bold</b> text</div><img src=x></body></html>'
    )
    assert html(page) == [
        "<!DOCTYPE html>",
        "<html>",
        "  <head>",
        "    <title>Hi &amp; bye</title>",
        "    <meta charset=utf-8>",
        '    <link rel="x" href="a>b">',
        "  </head>",
        "  <body class=c>",
        "    <div>",
        "      <p>Some <b>bold</b> text",
        "    </div>",
        "    <img src=x>",
        "  </body>",
        "</html>",
    ]


def test_end_tags_may_be_left_out() -> None:
    assert html("<ul><li>one<li>two</ul><table><tr><td>1<td>2<tr><td>3</table>") == [
        "<ul>",
        "  <li>one",
        "  <li>two",
        "</ul>",
        "<table>",
        "  <tr>",
        "    <td>1",
        "    <td>2",
        "  <tr>",
        "    <td>3",
        "</table>",
    ]


def test_content_of_script_style_pre_and_textarea_is_kept() -> None:
    page = (
        "<div><script>\n  if (a < b) {\n    x('</div>')\n  }\n</script><style>p{}</style>"
        "<pre>\n a\n  <i>b\n</pre><textarea>x\n y</textarea></div>"
    )
    assert html(page) == [
        "<div>",
        "  <script>",
        "  if (a < b) {",
        "    x('</div>')",
        "  }",
        "  </script>",
        "  <style>p{}</style>",
        "  <pre>",
        " a",
        "  <i>b",
        "</pre>",
        "  <textarea>x",
        " y</textarea>",
        "</div>",
    ]


def test_xml() -> None:
    document = (
        '<?xml version="1.0"?>\n<A x="1"><b/><c>t</c><d><![CDATA[ <x> ]]></d><!-- one\n two -->'
        "<e>long\n    text\n</e><ns:f y='2'></ns:f></A>"
    )
    assert xml(document) == [
        '<?xml version="1.0"?>',
        '<A x="1">',
        "  <b/>",
        "  <c>t</c>",
        "  <d><![CDATA[ <x> ]]></d>",
        "  <!-- one",
        " two -->",
        "  <e>long",
        "    text",
        "  </e>",
        "  <ns:f y='2'></ns:f>",
        "</A>",
    ]


def test_names_in_xml_are_case_sensitive_and_nothing_is_implied() -> None:
    assert xml("<li><LI>x</LI><br></br></li>") == ["<li>", "  <LI>x</LI>", "  <br></br>", "</li>"]


def test_document_type_with_declarations() -> None:
    assert xml('<!DOCTYPE a [<!ENTITY b "c">]><a/>') == ['<!DOCTYPE a [<!ENTITY b "c">]>', "<a/>"]


def test_stray_end_tags_and_loose_brackets() -> None:
    assert html("</p><div>a < b</span></div></div>") == ["</p>", "<div>a < b</span></div>", "</div>"]


def test_what_is_never_closed_takes_the_rest() -> None:
    assert xml("<a>\n<!-- b <c>\n<d>") == ["<a>", "  <!-- b <c>", "<d>"]
    assert xml('<a><b/><b c="d <e') == ["<a>", "  <b/>", '  <b c="d <e']


def test_nesting_bomb_is_indented_up_to_a_limit() -> None:
    made = xml("<a>" * 100_000)
    assert len(made) == 100_000
    assert max(map(len, made)) < 100


def test_html_is_told_from_xml() -> None:
    assert is_html(Body(b"", "text/html"))
    assert is_html(Body(b"<!doctype html>"))
    assert is_html(Body(b"<DIV class=x>"))
    assert not is_html(Body(b"<?xml version='1.0'?><html>"))
    assert not is_html(Body(b"<svg><p></p>", "image/svg+xml"))
    assert not is_html(Body(b"<feed><p>", "application/atom+xml"))
    assert is_html(Body(b"<html>", "application/xhtml+xml"))


PIECES = """< > </ /> <!-- --> <![CDATA[ ]]> <? ?> <!D [ ]> a b= " ' é
<pre> </pre> <script> </SCRIPT> <p> <li> <b> </b> <br> <textarea>"""
pieces = st.lists(st.sampled_from([*PIECES.split(), " ", "\n", "\r"]), max_size=40).map("".join)


@settings(deadline=None)
@given(pieces, st.booleans())
def test_tokens_put_together_give_the_document(text: str, as_html: bool) -> None:
    assert "".join(token.text for token in tokens(text, as_html)) == text


@settings(deadline=None)
@given(pieces)
def test_nothing_but_white_space_is_added_or_lost(text: str) -> None:
    for show in (html, xml):
        assert "".join("".join(show("<a>" + text)).split()) == "".join(("<a>" + text).split())
