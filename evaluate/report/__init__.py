"""What people look at: tables, figures and the report of finished results.

- `page`: the report (one HTML file) and its list of sections
- what sections show: `table` (Table 1), `headline` (the result in a sentence), `comparison` (methods with each other, a
  network with its baseline)
- `figures`: images with their maps, as files: the paper's Figures 1 and 7 to 9; `gallery`: those in the page
- `formatting`: numbers and tables as text
- `model_index`: results as entries of a model card on the Hub

To add a section to the report, add a function to `page.SECTIONS` and a template to `templates/`.
"""
