"""Look at what was measured in a web browser, and correct it: Datasette with a plugin of our own.

In: a database, and the pictures where they lie. Out: pages, and corrections as rows.
`serving` makes the application, `plugin` is what Datasette calls, `routes` what its addresses answer, `named` the
named queries as Datasette asks them, `pictures` what is drawn on request.
"""
