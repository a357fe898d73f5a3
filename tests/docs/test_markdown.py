"""What these tests read a document with reads it rightly."""

from tests.docs.markdown import Block, Command, anchors, as_shown, blocks, commands, links

TEXT = """# A title, `code`!

See [the map](docs/a.md#two-words) and `[not](this)`.

```console
$ replog append \\
>   story.txt
offset 1
$ true
```
"""


def test_blocks_carry_their_language_and_line() -> None:
    (block,) = blocks(TEXT)

    assert (block.language, block.line) == ("console", 6)


def test_a_continued_command_is_one_command_and_keeps_its_output() -> None:
    (block,) = blocks(TEXT)

    assert list(commands(block)) == [
        Command(6, "replog append \\\n  story.txt", ("offset 1",)),
        Command(9, "true", ()),
    ]


def test_a_block_without_a_command_has_none() -> None:
    assert list(commands(Block("console", "only output", 1))) == []


def test_links_are_found_outside_of_code() -> None:
    assert list(links(TEXT)) == [(3, "docs/a.md#two-words")]


def test_anchors_are_made_of_headings() -> None:
    assert anchors(TEXT) == {"a-title-code"}


def test_an_ellipsis_stands_for_a_part_of_a_line_or_for_lines() -> None:
    shown = ("offset … of 3", "…", "done")

    assert as_shown(shown, "offset 17 of 3\ndone\n")
    assert as_shown(shown, "offset 17 of 3\nmore  \nand more\ndone\n")
    assert not as_shown(shown, "offset 17\ndone\n")
    assert not as_shown(shown, "offset 17 of 3\ndone\ntrailing\n")
    assert not as_shown(shown, "offset 17 of 3\n")


def test_nothing_shown_allows_anything() -> None:
    assert as_shown((), "whatever\n")
