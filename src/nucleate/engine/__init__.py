"""Executors decide where stages run. The pipeline is given an executor and imports none.

An executor is an object with one method:

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Generator[Candidate]

It applies the stage to all candidates and yields each result as soon as it is there, in any order; `pipeline.run`
stores it before it asks for the next one. What an executor must do:

- Give every candidate back exactly once, as the stage gave it back. A candidate that cannot be finished (its process
  died, it took longer than `stage.limit_s`) comes back as `candidate.failed(stage.name, code, reason)`.
- Call the stage with one candidate at a time where `stage.grain` is "one"; `engine.local.apply_one` does that and turns
  an unexpected exception into a failure. A stage of grain "all" is called once, with all candidates. One of grain
  "chunk" may be called with any share of them.
- Let a `NucleateError` of the stage pass: it reports a problem that every other candidate would have as well.
- Stop its work when the generator is closed, so that no process is left running after Ctrl-C, after a cancelled run or
  after an error.

`stage.resource` and `stage.cost` say what the work needs (`pipeline.stage`). A stage of grain "one" can be pickled. To
run it on another machine, an executor sends the pickled stage and the JSON text of a candidate (`Candidate.to_json`).
"""
