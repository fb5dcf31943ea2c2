"""Many articles: what is to do, done on many cores or machines, resumed wherever it was stopped.

In: targets or a corpus definition, and the stages' settings. Out: rows in the database and a count of outcomes.
"""
