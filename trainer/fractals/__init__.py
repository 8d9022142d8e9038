"""FractalDB: images of iterated function systems, one system a class (Kataoka et al., ACCV 2020; IJCV 2022)."""
