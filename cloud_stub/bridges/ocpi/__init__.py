"""Export in OCPI 2.2.1, as the sender of the modules locations, tariffs and CDRs. Read only.

numbers    exact decimals in JSON, and prices without their tax
party      the file that says who the operator is and where the sites are
locations  sites, piles and connectors as locations
tariffs    versions of rates as tariffs
rule       what a CDR costs by OCPI's own rule of computing
cdrs       bills as CDRs, credit notes as credit CDRs
pages      one page of each module, with its filters
"""
