"""Export in OCPI 2.2.1, as the sender of the modules locations, tariffs and CDRs. Read only.

numbers    exact decimals in JSON, and prices without their tax
party      the file with the operator's ids and the sites' addresses
locations  sites, piles and connectors as locations
tariffs    versions of rates as tariffs
rule       the cost of a CDR by OCPI's own rule
cdrs       bills as CDRs, credit notes as credit CDRs
pages      one page of each module, with its filters
"""
