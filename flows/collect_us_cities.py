"""collect-us-cities: panoramas of the United States' 150 largest places, suburbs merged."""

from flows.collecting import cities_flow

collect_us_cities = cities_flow("collect-us-cities", "us", default_top=150, default_per_place=18)
