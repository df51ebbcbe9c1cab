"""`semres laws`: derive every law from its definition and prove it equal to the closed form that is computed."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Laws:
    """Prove the closed forms in SymPy, one by one; exit status 0 if all are proved, 1 otherwise.

    Example: semres laws --latex
    """

    json: bool = False
    """End standard output with one line of JSON, {"laws": [...], "ok": true}."""
    latex: bool = False
    """Print every law in LaTeX."""

    def run(self) -> int:
        """Prove, print, and give the exit status."""
        from semres_jax.cli._common import print_cells, progress_bar, say_json
        from semres_jax.laws import symbolic

        with progress_bar() as progress:
            proofs = symbolic.prove_all(lambda law, done, _: progress(law, done, len(symbolic.LAWS)))
        rows = [
            (proof.name, proof.source, "proved" if proof.proved else "NOT PROVED", f"{proof.seconds:.2f}")
            for proof in proofs
        ]
        styles = [None if proof.proved else "bold red" for proof in proofs]
        print_cells(("law", "source", "outcome", "seconds"), rows, left=("law", "source", "outcome"), styles=styles)
        for proof in proofs:
            if not proof.proved:
                print(f"{proof.name}: {proof.detail}")
        if self.latex:
            for proof in proofs:
                print(f"% {proof.name}: {proof.statement} ({proof.source})\n{symbolic.latex(proof.name)}")
        ok = all(proof.proved for proof in proofs)
        if self.json:
            say_json({"laws": [dataclasses.asdict(proof) for proof in proofs], "ok": ok})
        return 0 if ok else 1
