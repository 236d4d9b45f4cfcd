"""Tables of figures."""

from keras_gen.console import markdown_table


def test_a_table_has_a_row_for_each_model_and_errors_behind_their_figures():
    rows = {
        "a VAE": {"distance": 12.3456, "distance_standard_error": 0.25, "num_samples": 10_000},
        "[data]": {"num_samples": 7, "score": 1e-7},
    }
    lines = markdown_table(rows).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["", "distance", "num samples", "score"]
    assert all(set(cell) <= set("-:") for cell in cells[1])
    assert cells[2:] == [["a VAE", "12.35 ± 0.25", "10,000", ""], ["[data]", "", "7", "1e-07"]]
    # All columns stand below each other.
    assert len({len(line) for line in lines}) == 1
    # However long a line becomes.
    wide = markdown_table({"x" * 300: {f"figure {number}": number for number in range(50)}})
    assert len(wide.splitlines()) == 3
