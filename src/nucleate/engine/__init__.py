"""Executors: where stages run. The pipeline is given one and imports none.

An executor is an object with one method:

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Generator[Candidate]

It applies the stage to all candidates and yields each result as soon as it is there, in any order; `pipeline.run`
stores it before it asks for the next one. What an executor must do:

- Give every candidate back exactly once, as the stage gave it back. A candidate that cannot be finished (its process
  died, it took longer than `stage.limit_s`) comes back as `candidate.failed(stage.name, code, reason)`.
- Call the stage with one candidate at a time where `stage.grain` is "one"; `engine.local.apply_one` does that and turns
  an unexpected exception into a failure. A stage of grain "all" is called once, with all candidates. One of grain
  "chunk" may be called with any share of them.
- Let a `NucleateError` of the stage pass: it says what no other candidate escapes either.
- Stop its work when the generator is closed: after Ctrl-C, a cancelled run and an error nothing may stay behind.

`stage.resource` and `stage.cost` say what the work needs (`pipeline.stage`). A stage of grain "one" can be pickled;
that and `Candidate.to_json` are all that has to travel to another machine.
"""
