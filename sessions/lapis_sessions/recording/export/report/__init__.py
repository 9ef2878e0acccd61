"""A session as one page of HTML, to read where no Lapis is."""
