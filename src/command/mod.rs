//! One verb per file: `Args` (its doc comment is the help) and one consuming `run(self, &App) -> Result<Outcome, Failure>`.
