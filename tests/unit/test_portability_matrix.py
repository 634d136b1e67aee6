from workbench.portability.matrix import load_matrix


def test_the_kept_matrix_names_its_builds_and_shows_the_cliffs():
    kept = load_matrix()
    assert "onnxruntime-cann" in kept["builds"]["cann"]
    places = kept["places"]
    assert all(
        0 <= taken <= tried
        for operators in places.values()
        for opsets in operators.values()
        for taken, tried in opsets.values()
    )
    assert places["cuda"]["Relu"]
    assert sum(taken for taken, _ in places["cann operators"]["Softmax"].values()) == 0
    assert sum(taken for taken, _ in places["cann subgraphs"]["Softmax"].values()) > 0
