"""`semres laws`: derive every law from its definition and prove it equal to the closed form that is computed."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Laws:
    """Prove the closed forms in SymPy, one by one; exit status 0 if all are proved, 1 otherwise."""

    json: bool = False
    """End standard output with one line of JSON, {"laws": [...], "ok": true}."""
    latex: bool = False
    """Print every law in LaTeX."""

    def run(self) -> int:
        """Prove, print, and give the exit status."""
        import json

        from rich.console import Console
        from rich.markup import escape
        from rich.progress import Progress
        from rich.table import Table

        from semres_jax.laws import symbolic

        errors = Console(stderr=True)
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
            task = bar.add_task("proving", total=len(symbolic.LAWS))
            proofs = symbolic.prove_all(lambda law, done, _: bar.update(task, completed=done, description=escape(law)))

        table = Table("law", "source", "outcome", "seconds")
        for proof in proofs:
            outcome = "[green]proved[/]" if proof.proved else "[bold red]NOT PROVED[/]"
            table.add_row(proof.name, escape(proof.source), outcome, f"{proof.seconds:.2f}")
        console = Console()
        console.print(table)
        for proof in proofs:
            if not proof.proved:
                console.print(f"{proof.name}: {proof.detail}", style="red", markup=False)
        if self.latex:
            for proof in proofs:
                print(f"% {proof.name}: {proof.statement} ({proof.source})\n{symbolic.latex(proof.name)}")
        ok = all(proof.proved for proof in proofs)
        if self.json:
            print(json.dumps({"laws": [dataclasses.asdict(proof) for proof in proofs], "ok": ok}))
        return 0 if ok else 1
