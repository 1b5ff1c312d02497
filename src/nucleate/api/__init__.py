"""The functions of `import nucleate`, which take objects of pymatgen and ASE, files and formulas.

Every function takes one object or several, and returns one result or a list of results. The work is done by stages and
tasks of other folders; `nucleate.__all__` is the list of public names.
"""
