"""A fuzzer for everything convcli reads: files, words, models, arrays.

``python -m tests.fuzz --minutes N`` runs it by hand; a small share, always the same, is among the tests.

- `kinds`: what is tried. A case's number, its kind and the seed are all that it is made from.
- `seeds`, `mutations`, `parts`, `words`, `arrays`: what cases are made from.
- `judging`: runs one case in this process and says what is wrong.
- `workers`: processes that do nothing else; one that dies or hangs is a finding and is replaced.
"""
