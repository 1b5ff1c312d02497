"""What `import nucleate` offers as functions: one call each, for objects of pymatgen and ASE, files and formulas.

Every function takes one object or several, and gives one result or a list of them. The work is done by the stages and
tasks below; `nucleate.__all__` is the list of public names.
"""
