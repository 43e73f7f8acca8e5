"""collect-uk-cities: panoramas of the United Kingdom's 150 largest places, suburbs merged."""

from flows.collecting import cities_flow

collect_uk_cities = cities_flow("collect-uk-cities", "uk", default_top=150, default_per_place=18)
